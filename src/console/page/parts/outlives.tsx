import type { DecisionPage } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { now } from '../clock.js';
import { pathOf } from '../query.js';
import { Countdown } from './countdown.js';
import { Icon } from './icon.js';
import { Section } from './section.js';
import { Time } from './time.js';

/** What of a revoked access goes on after the write, until when, and where to see the other ways that are left. */
export function Outlives({ decision }: { readonly decision: DecisionPage | undefined }) {
  if (decision === undefined || decision.outlives.length === 0) return null;
  const { from, client, outlives } = decision;
  const caller = from ?? (client === null ? undefined : `${client.provider}/${client.id}`);
  return (
    <Section title="What outlives it">
      <ul class="reasons">
        {outlives.map(({ text, until }) => (
          <li key={text}>
            <Icon name="waiting" />
            <span>
              {cleanText(text)} {until !== null && <End until={until} />}
            </span>
          </li>
        ))}
        {caller !== undefined && (
          <li>
            <Icon name="arrow" />
            <span>
              other paths: see <a href={pathOf('/reach', caller)}>what {cleanText(caller)} still reaches</a>
            </span>
          </li>
        )}
      </ul>
    </Section>
  );
}

function End({ until }: { readonly until: string }) {
  if (until === 'unknown') return <span class="badge warn">end unknown</span>;
  if (Date.parse(until) > now.value)
    return (
      <span class="badge warn">
        <Countdown until={until} />
      </span>
    );
  return (
    <span class="soft">
      (ended <Time at={until} />)
    </span>
  );
}
