import { useState } from 'preact/hooks';

/** The fields of a form that asks one question: what is typed counts once it is sent. */
export function useQuestion<Question extends Readonly<Record<string, string>>>(
  asked: Question,
  ask: (question: Question) => void,
) {
  const [typed, setTyped] = useState(asked);
  return {
    typed,
    field: <Name extends keyof Question & string>(name: Name) => ({
      name,
      value: typed[name],
      autocomplete: 'off',
      spellcheck: false,
      onInput: ({
        currentTarget,
      }: {
        currentTarget: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
      }) => setTyped({ ...typed, [name]: currentTarget.value }),
    }),
    onSubmit(event: Event) {
      event.preventDefault();
      ask(typed);
    },
  };
}
