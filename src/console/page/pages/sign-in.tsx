import { Copy } from '../parts/copy.js';

/** What a person without a session sees: how to get one, and nothing about the mesh. */
export function SignInPage({ why }: { readonly why: string | undefined }) {
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
      <p>Open the console on the machine where the daemon runs:</p>
      <Copy text="scopemesh console" />
      <p class="soft">
        The command opens an address that signs you in. The address works once, and for one minute. The demo
        prints such an address when it starts.
      </p>
    </main>
  );
}
