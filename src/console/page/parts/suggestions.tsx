import { cleanText } from '../clean-text.js';
import { useAnswer } from '../use-answer.js';

/** Names of services that begin as the reader typed. One that hides something could be taken for another. */
export function Suggestions({ id, text }: { readonly id: string; readonly text: string }) {
  const { value } = useAnswer('/api/services', { q: text, limit: 20 }, false);
  return (
    <datalist id={id}>
      {value?.rows
        .filter(({ name }) => cleanText(name) === name)
        .map(({ name }) => (
          <option key={name} value={name} />
        ))}
    </datalist>
  );
}
