import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { cleanText } from '../clean-text.js';
import { status } from '../live.js';
import { signIn } from '../session.js';

interface Titled {
  /** Of the tab: what a reader with twenty tabs sees. */
  readonly title: string;
  readonly children: ComponentChildren;
}

/** The heading of a page. A new page begins there for a keyboard and a screen reader. */
export function Heading({ title, children }: Titled) {
  const heading = useRef<HTMLHeadingElement>(null);
  const instance = signIn.value.kind === 'in' ? signIn.value.session.instance : undefined;
  const mode = status.value?.mode ?? instance?.mode ?? '';
  useEffect(() => {
    document.title = `${cleanText(title)} · ${instance?.name ?? ''} ${mode}`.trim();
  }, [title, instance?.name, mode]);
  useEffect(() => {
    // At the first page the browser decides.
    if (document.body.dataset.visited !== undefined) heading.current?.focus({ preventScroll: true });
    document.body.dataset.visited = '';
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  );
}
