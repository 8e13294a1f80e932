import { cleanText, cutMiddle } from '../clean-text.js';

interface Named {
  /** From outside: it may be hostile. */
  readonly text: string;
  readonly most?: number;
  readonly isCode?: boolean;
}

/** A name from outside. What it hides is shown, its middle is cut, and the whole is in the tip. */
export function Name({ text, most = 56, isCode = false }: Named) {
  const clean = cleanText(text);
  const cut = cutMiddle(clean, most);
  return (
    <bdi class={isCode ? 'name code' : 'name'} {...(cut === clean ? {} : { title: clean })}>
      {cut}
    </bdi>
  );
}
