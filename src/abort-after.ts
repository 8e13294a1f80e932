/**
 * Aborts with `signal`, or after `ms`. In Node 20 a timeout within `AbortSignal.any` is collected as garbage, and then
 * never fires; a listener of its own keeps it.
 */
export function abortAfter(signal: AbortSignal, ms: number): AbortSignal {
  const timeout = AbortSignal.timeout(ms);
  timeout.addEventListener('abort', () => {}, { once: true });
  return AbortSignal.any([signal, timeout]);
}
