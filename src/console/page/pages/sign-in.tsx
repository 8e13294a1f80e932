import { useEffect, useState } from 'preact/hooks';
import { Copy } from '../parts/copy.js';
import { Name } from '../parts/name.js';
import { leaveForLogin, loginAddress, readLogins } from '../session.js';

/** What a person without a session sees: how to get one, and nothing about the mesh. */
export function SignInPage({ why }: { readonly why: string | undefined }) {
  const [logins, setLogins] = useState<readonly string[]>([]);
  useEffect(() => void readLogins().then(setLogins), []);
  return (
    <main class="sign-in">
      <h1>
        <span class="logo" aria-hidden="true" /> scopemesh
      </h1>
      {why !== undefined && (
        <p class="note bad" role="alert">
          {why}
        </p>
      )}
      {logins.map((provider) => (
        <p key={provider}>
          <a class="button" href={loginAddress(provider)} onClick={() => leaveForLogin()}>
            Sign in at <Name text={provider} />
          </a>
        </p>
      ))}
      <p>{logins.length > 0 ? 'Or open' : 'Open'} the console on the machine where the daemon runs:</p>
      <Copy text="scopemesh console" />
      <p class="soft">
        The command opens an address that signs you in. The address works once, and for one minute. The demo
        prints such an address when it starts.
      </p>
    </main>
  );
}
