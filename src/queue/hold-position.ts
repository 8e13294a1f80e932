import type { HoldPage, RecordedHold } from './journal.js';
import { parseHold } from './stored.js';

/** Where a page of holds ends. */
export interface HoldPosition {
  readonly key: string;
  readonly subject: string;
}

/** No key has a line break. */
function toText({ key, subject }: HoldPosition): string {
  return `${key}\n${subject}`;
}

/** The text may come from anybody: what is no position begins a page somewhere, and that does no harm. */
export function toPosition(text = ''): HoldPosition {
  const at = text.indexOf('\n');
  return at < 0 ? { key: text, subject: '' } : { key: text.slice(0, at), subject: text.slice(at + 1) };
}

/** How many holds to read for a page: one more shows whether there is another one. -1: all. */
export function countFor(page: HoldPage | undefined): number {
  return page === undefined ? -1 : page.limit + 1;
}

/** The page of these holds, which are JSON and as many as `countFor` says. */
export function toHoldPage(
  read: readonly (HoldPosition & { readonly json: string })[],
  page: HoldPage | undefined,
): { readonly holds: readonly (RecordedHold & { readonly key: string })[]; readonly holdsAfter?: string } {
  const shown = page === undefined ? read : read.slice(0, page.limit);
  const last = shown.at(-1);
  const holds = shown.map(({ key, json }) => ({ ...parseHold(json), key }));
  return last === undefined || shown.length === read.length ? { holds } : { holds, holdsAfter: toText(last) };
}
