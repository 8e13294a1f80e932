import type { Output } from '../terminal/screen.js';

/** Progress is shown only after this time. */
const PATIENCE_MS = 700;
const FRAME_MS = 100;

/** Shows progress in one line on stderr, only on a terminal. The line is removed at the end. */
export async function withProgress<T>(
  stderr: Output,
  text: string | (() => string),
  work: () => Promise<T>,
): Promise<T> {
  if (stderr.isTTY !== true) return work();
  let isShown = false;
  const show = () => {
    isShown = true;
    stderr.write(`\r\u001b[K${typeof text === 'string' ? text : text()} …`);
  };
  let frames: NodeJS.Timeout | undefined;
  const patience = setTimeout(() => {
    show();
    frames = setInterval(show, FRAME_MS);
  }, PATIENCE_MS);
  try {
    return await work();
  } finally {
    clearTimeout(patience);
    clearInterval(frames);
    if (isShown) stderr.write('\r\u001b[K');
  }
}
