import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Graph, type Layout, layOut } from '../../../../src/console/page/mesh/layout.js';

const graphs = fc
  .record({
    size: fc.integer({ min: 1, max: 40 }),
    ends: fc.array(fc.tuple(fc.nat(39), fc.nat(39)), { maxLength: 80 }),
    isDense: fc.boolean(),
  })
  .map(({ size, ends, isDense }): Graph => {
    const pairs = new Map(
      ends.map(([a, b]) => [`n${a % size} > n${b % size}`, [`n${a % size}`, `n${b % size}`]]),
    );
    return {
      nodes: Array.from({ length: size }, (_, at) => ({ id: `n${at}` })),
      arrows: [...pairs].map(([id, [from = '', to = '']]) => ({ id, from, to })),
      isDense,
    };
  });

const placesOf = ({ places }: Layout) => Object.fromEntries(places);

describe('the layout of a picture', () => {
  it('is the same for the same graph, in whatever order it comes', () => {
    fc.assert(
      fc.property(graphs, ({ nodes, arrows, isDense }) => {
        const turned = { nodes: nodes.toReversed(), arrows: arrows.toReversed(), isDense };
        expect(placesOf(layOut(turned))).toEqual(placesOf(layOut({ nodes, arrows, isDense })));
      }),
    );
  });

  it('puts no node over another', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const places = [...layOut(graph).places.values()].toSorted(
          (a, b) => a.layer - b.layer || a.row - b.row,
        );
        for (const [at, { layer, row }] of places.slice(1).entries())
          if (places[at]?.layer === layer) expect(row - (places[at]?.row ?? 0)).toBeGreaterThan(0.999);
      }),
    );
  });

  it('moves nothing when a service and its arrows come or go', () => {
    fc.assert(
      fc.property(graphs, fc.nat(39), (graph, which) => {
        const before = layOut(graph);
        const come = {
          ...graph,
          nodes: [...graph.nodes, { id: 'new' }],
          arrows: [...graph.arrows, { id: 'x', from: 'n0', to: 'new' }],
        };
        const after = layOut(come, before);
        expect(placesOf(after)).toMatchObject(placesOf(before));
        const others = [...before.places.values()].map(({ layer, row }) => `${layer} ${row}`);
        const place = after.places.get('new');
        expect(others).not.toContain(`${place?.layer} ${place?.row}`);
        const gone = `n${which % graph.nodes.length}`;
        const rest = { ...graph, nodes: graph.nodes.filter(({ id }) => id !== gone) };
        const { [gone]: _, ...stay } = placesOf(before);
        if (rest.nodes.length > 0) expect(placesOf(layOut(rest, before))).toEqual(stay);
      }),
    );
  });

  it('has callers left of what they call, and leads a long arrow around the nodes between', () => {
    const chain = ['a', 'b', 'c'];
    const arrows = [
      { id: 'a > b', from: 'a', to: 'b' },
      { id: 'b > c', from: 'b', to: 'c' },
      { id: 'a > c', from: 'a', to: 'c' },
    ];
    const { places, ways } = layOut({ nodes: chain.map((id) => ({ id })), arrows, isDense: false });
    expect(chain.map((id) => places.get(id)?.layer)).toEqual([0, 1, 2]);
    const [way] = ways.get('a > c') ?? [];
    expect(way?.layer).toBe(1);
    expect(Math.abs((way?.row ?? 0) - (places.get('b')?.row ?? 0))).toBeGreaterThan(0.7);
  });

  it('has at most as many columns as can be seen, however long the ways are', () => {
    const nodes = Array.from({ length: 60 }, (_, at) => ({ id: `n${String(at).padStart(2, '0')}` }));
    const arrows = nodes.slice(1).map(({ id }, at) => ({ id, from: nodes[at]?.id ?? '', to: id }));
    const layers = [...layOut({ nodes, arrows, isDense: false }).places.values()].map(({ layer }) => layer);
    expect(Math.max(...layers)).toBeLessThan(9);
  });
});
