import type { Session } from '../../answers.js';
import { now, timeText } from '../clock.js';
import { dialog } from '../keys.js';
import { live, status } from '../live.js';
import { PLACES } from '../places.js';

import { Icon } from './icon.js';
import { Name } from './name.js';
import { Time } from './time.js';

/** Whose console this is, the search, and who looks. */
export function Header({ session: { instance, person } }: { readonly session: Session }) {
  return (
    <header class="bar">
      <a class="brand" href="/">
        <span class="logo" aria-hidden="true" /> <span class="wide">scopemesh</span>
      </a>
      <span class="instance">
        <Name text={instance.name} most={24} />{' '}
        <span class="soft">{status.value?.mode ?? instance.mode}</span>
      </span>
      <button type="button" class="search" onClick={() => (dialog.value = 'palette')}>
        <Icon name="search" /> <span class="wide">Search</span> <kbd class="wide">/</kbd>
      </button>
      <LiveMark />
      <a class="who" href="/me">
        <Icon name="person" />{' '}
        <span class="wide">
          <Name text={person.name} most={24} />
        </span>
      </a>
    </header>
  );
}

function LiveMark() {
  const { kind } = live.value;
  return (
    <span
      class={`live ${kind}`}
      title={kind === 'live' ? 'The page follows what happens' : 'The page does not follow'}
    >
      <i aria-hidden="true" /> <span class="wide">{kind}</span>
    </span>
  );
}

export function Places({ path }: { readonly path: string }) {
  return (
    <nav class="places" aria-label="Pages">
      {PLACES.map(({ name, path: to, icon }) => {
        const isHere = to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`);
        return (
          <a key={to} href={to} {...(isHere ? { 'aria-current': 'page' } : {})}>
            <Icon name={icon} /> <span>{name}</span>
          </a>
        );
      })}
    </nav>
  );
}

/** What holds for every page: a mesh that is open to all, a freeze, a state that is not of now. */
export function Bars() {
  const state = live.value;
  const { defaultAllow = null, frozen = null } = status.value ?? {};
  return (
    <>
      {defaultAllow === true && (
        <p class="note bad" role="alert">
          <Icon name="warn" />
          <span>
            <strong>Everything may call everything.</strong> Consul allows what no intention denies: its
            default intention policy is allow.
          </span>
        </p>
      )}
      {frozen !== null && (
        <p class="note warn" role="note">
          <Icon name="hold" />
          <span>
            <strong>Changes are frozen</strong> since <Time at={frozen.since} />
            {frozen.until !== null && (
              <>
                {' '}
                until <time dateTime={frozen.until}>{new Date(frozen.until).toLocaleString()}</time>
              </>
            )}
            {frozen.by !== null && (
              <>
                {' '}
                by <Name text={frozen.by} />
              </>
            )}
            {frozen.reason !== null && (
              <>
                : <Name text={frozen.reason} most={160} />
              </>
            )}
            . Grants wait, revocations pass. <a href="/waiting/freeze">End it</a>
          </span>
        </p>
      )}
      {state.kind === 'paused' && (
        <p class="note warn" role="status">
          <Icon name="unknown" />
          <span>
            <strong>Live paused at {new Date(state.since).toLocaleTimeString()}</strong> (
            {timeText(state.since, now.value)}): {state.why}. This is the state of then; the page tries again.
          </span>
        </p>
      )}
    </>
  );
}
