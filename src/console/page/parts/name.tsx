import { cleanText, cutMiddle } from '../clean-text.js';
import { pathOf } from '../query.js';

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

/** Scopes, each as it is at the identity provider. */
export function Chips({ names }: { readonly names: readonly string[] }) {
  return (
    <>
      {names.map((name) => (
        <span class="chip" key={name}>
          <Name text={name} isCode />
        </span>
      ))}
    </>
  );
}

interface Client {
  readonly provider: string;
  readonly id: string;
}

export function ClientLink({ client: { provider, id } }: { readonly client: Client }) {
  return (
    <a href={pathOf('/clients', provider, id)}>
      <Name text={id} isCode />
    </a>
  );
}
