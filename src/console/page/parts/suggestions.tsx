import { useAnswer } from '../use-answer.js';

/** Names of services that begin as the reader typed. */
export function Suggestions({ id, text }: { readonly id: string; readonly text: string }) {
  const { value } = useAnswer('/api/services', { q: text, limit: 20 }, false);
  return (
    <datalist id={id}>
      {value?.rows.map(({ name }) => (
        <option key={name} value={name} />
      ))}
    </datalist>
  );
}
