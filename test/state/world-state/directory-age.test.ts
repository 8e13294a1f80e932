import { expect, it } from 'vitest';
import { WorldState } from '../../../src/state/world-state.js';
import { client, mapping, NOW, SETTINGS } from '../../plan/scene.js';

const why = 'a grant does not name its client';

it('a directory goes on to age while most of its clients cannot be read', () => {
  const world = new WorldState(mapping(), SETTINGS);
  const read = (at: number, readable: string[], doubtful: (string | undefined)[]) => {
    const [clients, unreadable] = [
      readable.map((id) => client(id, [])),
      doubtful.map((clientId) => ({ ...(clientId === undefined ? {} : { clientId }), why })),
    ];
    world.putDirectory('main', clients, world.beginRead(), at, unreadable);
    return world.directories.readAt('main');
  };
  // As at a start, when there is no earlier read to keep: it ages from here.
  expect(read(NOW - 1, ['a'], ['b', 'c'])).toBe(NOW - 1);
  expect(read(NOW, ['a'], ['b', 'c'])).toBe(NOW - 1);
  expect(read(NOW + 1, ['a', 'b'], ['c'])).toBe(NOW + 1);
  expect(read(NOW + 2, ['a'], ['b', 'c'])).toBe(NOW + 1);
  expect(read(NOW + 3, [], [])).toBe(NOW + 3);
  // Records without a client ID count too, and one of them harms only itself.
  expect(read(NOW + 4, ['a'], [undefined])).toBe(NOW + 4);
  expect(read(NOW + 5, ['a'], [undefined, undefined])).toBe(NOW + 4);
});
