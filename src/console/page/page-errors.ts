import { post } from './api.js';

const MAX_LENGTH = 300;
const MAX_PLACES = 5;
/** A page that fails all the time says so a few times. */
let left = 5;

/** Tells the daemon what nobody caught: the text of the error and the places in the page's own files, and nothing of what is shown. */
export function reportErrors(): void {
  addEventListener('error', ({ error, message }) => report(error ?? message));
  addEventListener('unhandledrejection', ({ reason }) => report(reason));
}

function report(error: unknown): void {
  if (left === 0) return;
  left--;
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const at = Array.from(stack.matchAll(/\/assets\/([\w.-]+:\d+:\d+)/g), ([, place]) => place);
  const body = { error: String(error).slice(0, MAX_LENGTH) || 'no text', at: at.slice(0, MAX_PLACES) };
  // Nobody is signed in, or the daemon is away: the reader sees that.
  post('/api/page-errors', body).catch(() => {});
}
