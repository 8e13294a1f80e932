/** One event of a stream: HTML, section 9.2.6. */
export interface StreamEvent {
  readonly kind: string;
  readonly id: string | undefined;
  readonly text: string;
}

/** Reads the events of a stream of server-sent events, however the network cut it. An unfinished last event is left out. */
export async function* readEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    rest = `${rest}${decoder.decode(chunk, { stream: true })}`;
    // A return at the end may be the half of a line end.
    const end = rest.endsWith('\r') ? rest.length - 1 : rest.length;
    const blocks = `${rest.slice(0, end).replaceAll(/\r\n?/g, '\n')}${rest.slice(end)}`.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = toEvent(block);
      if (event !== undefined) yield event;
    }
  }
}

function toEvent(block: string): StreamEvent | undefined {
  let kind = 'message';
  let id: string | undefined;
  const lines: string[] = [];
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'event') kind = value;
    else if (field === 'id') id = value;
    else if (field === 'data') lines.push(value);
  }
  return lines.length === 0 ? undefined : { kind, id, text: lines.join('\n') };
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** How long to wait before the next try: longer each time, and not the same for all pages that lost one daemon. */
export function retryWaitMs(failures: number, random: number): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10));
  return Math.round(most * (0.5 + random / 2));
}
