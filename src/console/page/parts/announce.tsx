import { signal } from '@preact/signals';

const message = signal('');

/** Says something to a screen reader once what it says now has ended. */
export function announce(text: string): void {
  message.value = text;
}

export function LiveRegion() {
  return (
    <p class="unseen" role="status" aria-live="polite">
      {message}
    </p>
  );
}
