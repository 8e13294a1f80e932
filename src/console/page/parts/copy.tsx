import { useState } from 'preact/hooks';
import { announce } from './announce.js';
import { Icon } from './icon.js';

/** A line to copy. */
export function Copy({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    announce('Copied');
  };
  return (
    <div class="copy">
      <code>{text}</code>
      <button type="button" onClick={copy} onBlur={() => setCopied(false)} aria-label={`Copy ${text}`}>
        <Icon name={isCopied ? 'yes' : 'copy'} />
      </button>
    </div>
  );
}
