import type { World } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { Icon } from './icon.js';

/** What the daemon could not read. Without it, a list that lacks something would look complete. */
export function WorldNote({ world }: { readonly world: World }) {
  if (world.complete) return null;
  return (
    <div class="note warn" role="note">
      <Icon name="unknown" />
      <div>
        <strong>Not everything is known. What is missing here may exist.</strong>
        {world.unknown.map((sentence) => (
          <p key={sentence}>{cleanText(sentence)}</p>
        ))}
      </div>
    </div>
  );
}
