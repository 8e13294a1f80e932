import fc from 'fast-check';
import { expect, it } from 'vitest';
import { blastNow } from '../../src/app/blast-view.js';
import { isSourceOf } from '../../src/plan/ownership.js';
import { serviceText } from '../../src/plan/world.js';
import { meshEdges } from '../../src/trail/mesh-edges.js';
import { entriesOf, entry, NOW, named, source } from '../plan/scene.js';

const NAMES = ['a', 'b', 'c', 'd'];
const services = NAMES.map((name) => named(name));
const anySource = fc.record({
  name: fc.constantFrom(...NAMES, '*'),
  kind: fc.constantFrom('allow' as const, 'deny' as const),
  peer: fc.constantFrom(undefined, 'elsewhere'),
});
const anyEntries = fc.uniqueArray(
  fc.record({ destination: fc.constantFrom(...NAMES, '*', 'gone'), sources: fc.array(anySource) }),
  { selector: ({ destination }) => destination },
);

it('a source reaches exactly the destinations whose most exact intention allows it', () => {
  fc.assert(
    fc.property(anyEntries, (drawn) => {
      const entries = entriesOf(
        ...drawn.map(({ destination, sources }) =>
          entry(
            destination,
            ...sources.map(({ name, kind, peer }) =>
              source(name, { kind }, '', peer === undefined ? {} : { peer }),
            ),
          ),
        ),
      );
      const edgesFrom = meshEdges({ owner: 'pay', entries, services, client: undefined });
      for (const from of services) {
        const isAllowed = (to: string) => {
          const of = (destination: string, name: string) =>
            entries
              .get(serviceText(named(destination)))
              ?.sources.find((each) => each.peer === undefined && isSourceOf(each, named(name)));
          const found = of(to, from.name) ?? of(to, '*') ?? of('*', from.name) ?? of('*', '*');
          return found?.access.kind === 'allow';
        };
        const known = [...NAMES, ...drawn.map(({ destination }) => destination)];
        const expected = [...new Set(known)].filter((to) => to !== '*' && to !== from.name && isAllowed(to));
        expect(
          edgesFrom(from)
            .map(({ destination }) => destination)
            .toSorted(),
        ).toEqual(expected.toSorted());
      }
    }),
  );
});

it('a walk through a large mesh looks at the edges that there are, not at all pairs', async () => {
  const size = 1_000;
  const all = Array.from({ length: size }, (_, at) => named(`s${at}`));
  let looked = 0;
  class Counted extends Map<string, ReturnType<typeof entry>> {
    override get(text: string) {
      looked++;
      return super.get(text);
    }
  }
  const deny = source('*', { kind: 'deny' });
  const ring = all.map((_, at) => entry(`s${(at + 1) % size}`, source(`s${at}`, { kind: 'allow' })));
  const entries = new Counted(entriesOf(entry('*', deny), ...ring));
  const { reached } = await blastNow(
    {
      ...{ name: 's0', starts: all.slice(0, 1), owner: 'pay', entries, services: all, client: undefined },
      ...{ protectedServices: [], isSelected: false, forged: new Set<string>() },
    },
    undefined,
    NOW,
  );
  expect(reached).toHaveLength(size - 1);
  expect(looked).toBeLessThan(5 * size);
});
