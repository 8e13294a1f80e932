import { now, timeText } from '../clock.js';

/** An instant. The exact one is in the tip. */
export function Time({ at }: { readonly at: string }) {
  return (
    <time dateTime={at} title={at}>
      {timeText(Date.parse(at), now.value)}
    </time>
  );
}
