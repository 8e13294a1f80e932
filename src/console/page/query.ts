import { toSegment } from '../../model/segment.js';

/** What an address says of each name. A name that it does not have has its default. */
export type Choices = Readonly<Record<string, string>>;

export function readChoices<T extends Choices>(search: string, defaults: T): T {
  const parameters = new URLSearchParams(search);
  const read = Object.entries(defaults).map(([name, value]) => [name, parameters.get(name) ?? value]);
  return Object.fromEntries(read) as T;
}

/** The search part of an address with these choices. What equals its default is left out, so that addresses stay short. */
export function writeChoices<T extends Choices>(search: string, choices: Partial<T>, defaults: T): string {
  const parameters = new URLSearchParams(search);
  for (const [name, value] of Object.entries(choices)) {
    if (value === undefined || value === defaults[name]) parameters.delete(name);
    else parameters.set(name, value);
  }
  parameters.sort();
  return parameters.size === 0 ? '' : `?${parameters}`;
}

/** The address of a page about one thing. A name may have any character. */
export function pathOf(page: string, ...names: readonly string[]): string {
  return [page, ...names.map(toSegment)].join('/');
}
