import { compareText } from '../../model/compare-text.js';
import type { Decision } from '../../model/decision.js';
import { digest } from '../../plan/access.js';
import { asAccess } from '../content.js';
import { type Citation, cite } from '../edge.js';
import type { Reviewed } from './reviewed.js';

export const MOVE_KINDS = ['joiner', 'mover', 'leaver'] as const;

/** A client or person whose access began, changed or ended in a period. */
export interface ClientMove {
  readonly kind: (typeof MOVE_KINDS)[number];
  /** `main/web-app`, or `person main/<sub>`. */
  readonly name: string;
  readonly actorKind: string;
  /** From the first sight of the event at the identity provider to enforcement; the slowest of its changes. */
  readonly slowestMs?: number;
  /** Oldest first. */
  readonly decisions: readonly Citation[];
}

/** Who had access at the end and not at the beginning is a joiner, and the reverse a leaver. */
export function toMoves(
  before: Reviewed,
  after: Reviewed,
  changing: readonly Decision[],
): readonly ClientMove[] {
  const [was, is] = [accessOf(before), accessOf(after)];
  const changes = new Map<string, Decision[]>();
  for (const decision of changing) {
    const name = holderOf(decision);
    if (name !== undefined) changes.set(name, [decision, ...(changes.get(name) ?? [])]);
  }
  return [...changes]
    .flatMap(([name, decisions]): ClientMove[] => {
      const [then, now] = [was.get(name), is.get(name)];
      // Access that came and went within the period is a leaver: somebody had it.
      const kind = now === undefined ? 'leaver' : then === undefined ? 'joiner' : 'mover';
      if (kind === 'mover' && then === now) return [];
      const times = decisions.flatMap(({ latencyMs }) => latencyMs ?? []);
      return [
        {
          kind,
          name,
          actorKind: decisions[0]?.client?.actorKind ?? decisions[0]?.person?.actorKind ?? 'unknown',
          ...(times.length === 0 ? {} : { slowestMs: Math.max(...times) }),
          decisions: decisions.map(cite),
        },
      ];
    })
    .toSorted((a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name));
}

/** What each name has, as a text for comparison. */
function accessOf({ edges, acl }: Reviewed): ReadonlyMap<string, string> {
  const parts = new Map<string, string[]>();
  const add = (name: string | undefined, part: string) => {
    if (name !== undefined) parts.set(name, [...(parts.get(name) ?? []), part]);
  };
  for (const edge of edges)
    add(holderOf(edge), `${edge.source} ${edge.destination} ${digest(asAccess(edge.access))}`);
  for (const object of acl) add(holderOf(object), `${object.subject} ${JSON.stringify(object.content)}`);
  return new Map([...parts].map(([name, texts]) => [name, texts.toSorted().join('\n')]));
}

/** `main/web-app`, or `person main/<sub>`; undefined for neither. */
export function holderOf({
  client,
  person,
}: {
  readonly client?: { readonly provider: string; readonly clientId: string } | undefined;
  readonly person?: Decision['person'];
}): string | undefined {
  if (person !== undefined) return `person ${person.provider}/${person.subject ?? 'unknown'}`;
  return client === undefined ? undefined : `${client.provider}/${client.clientId}`;
}
