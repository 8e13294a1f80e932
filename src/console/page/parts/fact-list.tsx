import type { ComponentChildren } from 'preact';

/** Facts by name. One that is undefined is left out. */
export function FactList({ facts }: { readonly facts: Readonly<Record<string, ComponentChildren>> }) {
  return (
    <dl class="facts">
      {Object.entries(facts).flatMap(([name, value]) =>
        value === undefined ? [] : [<dt key={name}>{name}</dt>, <dd key={`${name} is`}>{value}</dd>],
      )}
    </dl>
  );
}
