import { expect, it } from 'vitest';
import { WritePlaces } from '../../src/acl/apply/write-places.js';
import { Stopped } from '../../src/errors.js';
import { stoppable } from '../../src/reconcile/stoppable.js';

const NEVER = new AbortController().signal;

/** The only place is taken. */
function fullPlaces() {
  const limit = { now: 1, completed: () => {}, failed: () => {} };
  const places = new WritePlaces(limit, 0);
  let end = () => {};
  const work = () =>
    new Promise<void>((resolve) => {
      end = resolve;
    });
  const running = places.run(work, false, NEVER);
  const stop = new AbortController();
  const { writePlaces } = stoppable(
    { directories: new Map(), jwksUris: new Map(), writePlaces: places },
    stop.signal,
  );
  const release = () => {
    end();
    return running;
  };
  return { writePlaces, stop, release };
}

it('a write that may be a grant waits for no place at a stop, and is left to the next leader', async () => {
  const { writePlaces, stop } = fullPlaces();
  const waiting = writePlaces.run(async () => 'sent', false, NEVER);
  stop.abort();
  await expect(waiting).rejects.toThrow(Stopped);
});

it('a write that a loss waits for goes on waiting at a stop', async () => {
  const { writePlaces, stop, release } = fullPlaces();
  const waiting = writePlaces.run(async () => 'sent', true, NEVER);
  stop.abort();
  await release();
  expect(await waiting).toBe('sent');
});
