import type { ComponentChildren } from 'preact';

interface Titled {
  readonly title: ComponentChildren;
  /** How many things it shows. */
  readonly count?: number;
  readonly children: ComponentChildren;
}

export function Section({ title, count, children }: Titled) {
  return (
    <section>
      <h2>
        {title} {count !== undefined && <span class="count">{count.toLocaleString()}</span>}
      </h2>
      {children}
    </section>
  );
}
