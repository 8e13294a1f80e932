import type { ComponentChildren } from 'preact';
import { type Choices, readChoices, writeChoices } from '../query.js';
import { address, navigate } from '../router.js';

/** What the address chooses. Every filter is in it, so that a link shows the same to another person. */
export function useChoices<T extends Choices>(defaults: T) {
  const { pathname, search } = address.value;
  const choose = (choices: Partial<T>, replace = false) =>
    navigate(`${pathname}${writeChoices(search, choices, defaults)}`, { replace });
  /** For a field that the address follows as it is typed: the first page, and no step of the back button. */
  const set = (name: keyof T) => (value: string) =>
    choose({ ...('cursor' in defaults ? { cursor: '' } : {}), [name]: value } as Partial<T>, true);
  return [readChoices(search, defaults), choose, set] as const;
}

interface Box {
  readonly label: string;
  readonly value: string;
  readonly hint?: string;
  readonly onChange: (value: string) => void;
}

/** A box to type in. The list follows each letter; the back button returns to the list before. */
export function FilterBox({ label, value, hint, onChange }: Box) {
  return (
    <label class="filter">
      <span class="soft">{label}</span>
      <input
        type="search"
        value={value}
        placeholder={hint}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}

/** An instant. The field has the reader's zone, the address UTC: a link shows the same to everybody. */
export function FilterInstant({ label, value, onChange }: Box) {
  const at = new Date(value);
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return (
    <label class="filter">
      <span class="soft">{label}</span>
      <input
        type="datetime-local"
        step="1"
        value={Number.isNaN(at.getTime()) ? '' : local.toISOString().slice(0, 19)}
        onChange={({ currentTarget: { value: chosen } }) =>
          onChange(chosen === '' ? '' : new Date(chosen).toISOString())
        }
      />
    </label>
  );
}

interface Choice extends Box {
  /** The first one is the default. */
  readonly options: readonly (readonly [value: string, name: string])[];
}

export function FilterChoice({ label, value, options, onChange }: Choice) {
  return (
    <label class="filter">
      <span class="soft">{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([option, name]) => (
          <option key={option} value={option}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Filters({ children }: { readonly children: ComponentChildren }) {
  return (
    <search>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        {children}
      </form>
    </search>
  );
}
