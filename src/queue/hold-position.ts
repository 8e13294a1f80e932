/** Where a page of holds ends. */
export interface HoldPosition {
  readonly key: string;
  readonly subject: string;
}

/** No key has a line break. */
export function toText({ key, subject }: HoldPosition): string {
  return `${key}\n${subject}`;
}

/** The text may come from anybody: what is no position begins a page somewhere, and that does no harm. */
export function toPosition(text = ''): HoldPosition {
  const at = text.indexOf('\n');
  return at < 0 ? { key: text, subject: '' } : { key: text.slice(0, at), subject: text.slice(at + 1) };
}
