import { signal } from '@preact/signals';
import type { LoginRefusal, Session } from '../answers.js';
import { ApiFault, keepSession, keptSession, onSessionEnd, request } from './api.js';
import { navigate } from './router.js';

export type SignIn =
  | { readonly kind: 'starting' }
  | { readonly kind: 'in'; readonly session: Session }
  /** `why`: what went wrong, if anything did. */
  | { readonly kind: 'out'; readonly why: string | undefined };

export const signIn = signal<SignIn>({ kind: 'starting' });

async function readSession(): Promise<Session> {
  const response = await request('/api/session');
  return (await response.json()) as Session;
}

/** Of the person who is signed in. Throws without one: only the pages that need one ask. */
export function session(): Session {
  if (signIn.value.kind !== 'in') throw new Error('nobody is signed in');
  return signIn.value.session;
}

/** What the person may do can change while the page is open. */
export async function readAgain(): Promise<void> {
  const read = await readSession().catch(() => undefined);
  if (read !== undefined) signIn.value = { kind: 'in', session: read };
}

/** Another tab of the same console may have a session: a link that opens a tab then opens it signed in. */
const tabs = new BroadcastChannel('scopemesh-session');

/** Signs in with the code of the address, or with the session that the browser has. */
export async function startSession(): Promise<void> {
  onSessionEnd(() => {
    keepSession(undefined);
    if (signIn.value.kind === 'in') signIn.value = { kind: 'out', why: 'Your session has ended.' };
  });
  tabs.addEventListener('message', ({ data: message }) => {
    const secret = keptSession();
    if (message === 'ask' && secret !== undefined) tabs.postMessage({ secret });
    // Somebody signed in at another tab: this one goes on where it was.
    if (typeof message?.secret === 'string' && signIn.value.kind === 'out') {
      keepSession(message.secret);
      void enter();
    }
  });
  // An open page keeps what it shows if a reader opens a second address in the same tab.
  addEventListener('hashchange', () => enter());
  await enter();
}

const REFUSED: Readonly<Record<LoginRefusal, string>> = {
  busy: 'Too many people sign in at once. Try again.',
  denied: 'The identity provider did not let you in, or you cancelled the sign-in there.',
  elsewhere: 'This is not the address of the console. Open the address of http.console.url.',
  failed: 'The sign-in failed. Try again; the log of the daemon says why it failed.',
  noLogin: 'The console has no sign-in at this identity provider.',
  noPerson: 'The identity provider does not say who you are.',
  noRole:
    'You have no role here: the identity provider gives you no value that http.console.roles names. Ask an operator of scopemesh.',
  notBegun: 'This sign-in was not begun in this browser, was used, or is too old. Begin it again.',
  unavailable: 'The identity provider does not answer the console now. Try again in some seconds.',
};

/** Why the login that led to this document failed. Its code and state leave the address. */
function takeRefusal(): string | undefined {
  const { refused = '' } = document.documentElement.dataset;
  if (!Object.hasOwn(REFUSED, refused)) return undefined;
  delete document.documentElement.dataset.refused;
  navigate(sessionStorage.getItem(LEFT) ?? '/', { replace: true });
  return REFUSED[refused as LoginRefusal];
}

async function enter(): Promise<void> {
  const refused = takeRefusal();
  if (refused !== undefined) {
    signIn.value = { kind: 'out', why: refused };
    return;
  }
  const code = takeCode();
  let why: string | undefined;
  if (code !== undefined) why = await redeem(code);
  else if (keptSession() === undefined && location.protocol === 'http:') await askTabs();
  try {
    signIn.value = { kind: 'in', session: await readSession() };
  } catch (error) {
    const isOut = error instanceof ApiFault && error.status === 401;
    signIn.value = { kind: 'out', why: why ?? (isOut ? undefined : String((error as Error).message)) };
  }
}

/** The providers at which persons sign in; none if the daemon does not say so. */
export async function readLogins(): Promise<readonly string[]> {
  try {
    const response = await request('/login', { isAnonymous: true });
    return ((await response.json()) as { readonly logins: readonly string[] }).logins;
  } catch {
    return [];
  }
}

/** Leads to the identity provider, and from there back to what is open now. `isAgain`: the person must prove who they are again. */
export function loginAddress(provider: string, isAgain = false): string {
  const to = encodeURIComponent(`${location.pathname}${location.search}`);
  return `/login/${encodeURIComponent(provider)}?to=${to}${isAgain ? '&again=1' : ''}`;
}

/** What this tab showed when a person left it to sign in, and what was typed and not sent yet. */
const LEFT = 'scopemesh-left';
const TYPED = 'scopemesh-typed';
const here = () => `${location.pathname}${location.search}`;

/** Keeps where the person is, and what is typed in the form. */
export function leaveForLogin(form?: HTMLFormElement | null): void {
  const typed = new URLSearchParams();
  for (const [name, value] of new FormData(form ?? undefined)) typed.set(name, String(value));
  sessionStorage.setItem(LEFT, here());
  sessionStorage.setItem(TYPED, `${typed}`);
}

/** The fields with what was typed in them by who comes back to the same address; once. */
export function takeTyped<Name extends string>(
  fields: Readonly<Record<Name, string>>,
): Readonly<Record<Name, string>> {
  if (sessionStorage.getItem(LEFT) !== here()) return fields;
  const kept = new URLSearchParams(sessionStorage.getItem(TYPED) ?? '');
  const typed: Record<Name, string> = { ...fields };
  for (const name of Object.keys(fields) as Name[]) {
    typed[name] = kept.get(name) ?? fields[name];
    kept.delete(name);
  }
  sessionStorage.setItem(TYPED, `${kept}`);
  return typed;
}

/** Goes on to the identity provider, so that its session ends too, if this one began there. */
export async function signOut(): Promise<void> {
  const response = await request('/api/session', { method: 'DELETE' }).catch(() => undefined);
  keepSession(undefined);
  if (response?.status === 200) {
    const { logout } = (await response.json()) as { readonly logout: string };
    if (/^https?:/.test(logout)) return location.assign(logout);
  }
  signIn.value = { kind: 'out', why: 'You have signed out.' };
}

/** The one-time code of the address. It leaves the address and the history at once. */
function takeCode(): string | undefined {
  const [, code] = /^#code=([\w-]+)$/.exec(location.hash) ?? [];
  if (code === undefined) return undefined;
  history.replaceState(null, '', `${location.pathname}${location.search}`);
  return code;
}

/** Resolves with the reason if the code is not good. */
async function redeem(code: string): Promise<string | undefined> {
  try {
    const response = await request('/api/session', { method: 'POST', body: { code }, isAnonymous: true });
    const { token: secret } = (await response.json()) as { readonly token?: string };
    keepSession(secret);
    if (secret !== undefined) tabs.postMessage({ secret });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const TABS_ANSWER_MS = 150;

async function askTabs(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const listener = ({ data: message }: MessageEvent) => {
    if (typeof message?.secret !== 'string') return;
    keepSession(message.secret);
    resolve();
  };
  tabs.addEventListener('message', listener);
  tabs.postMessage('ask');
  setTimeout(resolve, TABS_ANSWER_MS);
  await promise;
  tabs.removeEventListener('message', listener);
}
