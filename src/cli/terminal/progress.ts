import type { Output } from '../terminal/screen.js';

/** Shown only once something takes longer than this. */
const PATIENCE_MS = 700;
const FRAME_MS = 100;

/** Says on stderr what takes long, on a terminal alone; the line is gone when it is over. */
export async function withProgress<T>(
  stderr: Output,
  text: () => string,
  work: () => Promise<T>,
): Promise<T> {
  if (stderr.isTTY !== true) return work();
  let isShown = false;
  const show = () => {
    isShown = true;
    stderr.write(`\r\u001b[K${text()} …`);
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
