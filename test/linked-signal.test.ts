import { getEventListeners } from 'node:events';
import { expect, it, vi } from 'vitest';
import { firstOf, withLinkedSignal } from '../src/linked-signal.js';

const reasonOf = (signal: AbortSignal) =>
  new Promise<unknown>((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });

it('aborts with the reason of the first signal, also of one that is aborted already', async () => {
  const [first, second] = [new AbortController(), new AbortController()];
  const reason = withLinkedSignal([first.signal, second.signal], reasonOf);
  second.abort('second');
  first.abort('first');
  expect(await reason).toBe('second');
  expect(await withLinkedSignal([first.signal], reasonOf)).toBe('first');
});

it('aborts after the time', async () => {
  const reason = withLinkedSignal([new AbortController().signal], reasonOf, 1);
  expect(await reason).toMatchObject({ name: 'TimeoutError' });
});

it('the first of several ends the others, and leaves no listener', async () => {
  const { signal } = new AbortController();
  let ended: Promise<unknown> | undefined;
  await firstOf(signal, (either) => {
    ended = reasonOf(either);
    return [Promise.resolve(), ended.then(() => {})];
  });
  expect(await ended).toBeInstanceOf(DOMException);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

it('any number wait for one signal without the warning of a leak', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 12 }, () => withLinkedSignal([signal], () => Promise.resolve())));
  const leaks = warn.mock.calls.filter(([about]) => String(about).includes('MaxListenersExceededWarning'));
  warn.mockRestore();
  expect(leaks).toEqual([]);
});
