import type { ComponentChild } from 'preact';
import { useEffect } from 'preact/hooks';
import { fromSegment } from '../../model/segment.js';
import type { Session } from '../answers.js';
import { PAGES } from '../pages.js';
import { AuditDiffPage, AuditPage, PastPage, pastOf } from './pages/audit.js';
import { ChangePage, ChangesPage } from './pages/changes.js';
import { ClientPage, ClientsPage } from './pages/clients.js';
import { EvidencePage } from './pages/evidence.js';
import { HealthPage } from './pages/health.js';
import { MapPage } from './pages/map.js';
import { MePage } from './pages/me.js';
import { NowPage } from './pages/now.js';
import { PlanPage } from './pages/plan.js';
import { ProofPage } from './pages/proof.js';
import { ReachPage } from './pages/reach.js';
import { ServicePage, ServicesPage } from './pages/services.js';
import { SignInPage } from './pages/sign-in.js';
import { TokensPage } from './pages/tokens.js';
import { WaitingPage } from './pages/waiting.js';
import { WaitingItemPage } from './pages/waiting-item.js';
import { WhatIfPage } from './pages/what-if.js';
import { WhyPage } from './pages/why.js';
import { ActDialog } from './parts/acts.js';
import { LiveRegion } from './parts/announce.js';
import { Dialogs } from './parts/dialogs.js';
import { Bars, Header, Places } from './parts/frame.js';
import { Heading } from './parts/heading.js';
import { showInstance } from './parts/instance.js';
import { address } from './router.js';
import { signIn } from './session.js';

export function App() {
  const state = signIn.value;
  return (
    <>
      {state.kind === 'in' && <Frame session={state.session} />}
      {state.kind === 'out' && <SignInPage why={state.why} />}
      <LiveRegion />
    </>
  );
}

function Frame({ session }: { readonly session: Session }) {
  const { pathname } = address.value;
  const { name } = session.instance;
  useEffect(() => showInstance(name), [name]);
  return (
    <>
      <a class="skip" href="#content">
        To the content
      </a>
      <Header session={session} />
      <Places path={pathname} />
      <main id="content" class="content">
        <Bars />
        <Page key={pathname} path={pathname} session={session} />
      </main>
      <Dialogs />
      <ActDialog />
    </>
  );
}

type Shown = (names: readonly string[], session: Session) => ComponentChild;

/** What each address shows; `names` are the parts of the address that have a colon there. */
const SHOWN: Readonly<Record<(typeof PAGES)[number], Shown>> = {
  '/': () => <NowPage />,
  '/services': () => <ServicesPage />,
  '/services/:name': ([name = '']) => <ServicePage name={name} />,
  '/clients': () => <ClientsPage />,
  '/clients/:provider/:id': ([provider = '', id = '']) => <ClientPage provider={provider} id={id} />,
  '/waiting': () => <WaitingPage />,
  '/waiting/:id': ([id = '']) => <WaitingItemPage id={id} />,
  '/changes': () => <ChangesPage />,
  '/changes/:id': ([id = '']) => <ChangePage id={id} />,
  '/audit': () => <AuditPage />,
  '/audit/diff': () => <AuditDiffPage />,
  '/audit/evidence': () => <EvidencePage />,
  '/audit/proof': () => <ProofPage />,
  '/map': () => <MapPage />,
  '/plan': () => <PlanPage />,
  '/what-if': () => <WhatIfPage />,
  '/reach/:name': ([name = '']) => <ReachPage name={name} />,
  '/health': () => <HealthPage />,
  '/tokens': () => <TokensPage />,
  '/why': () => <WhyPage />,
  '/me': (_, session) => <MePage session={session} />,
};

/** The page of an address: `/services/NAME`, `/clients/PROVIDER/ID`. */
function Page({ path, session }: { readonly path: string; readonly session: Session }) {
  const parts = path.split('/').slice(1).map(decoded);
  const [place = '', ...names] = parts;
  if (place !== 'audit' && address.value.searchParams.has('at'))
    return <PastPage title={names.join('/') || place || 'Now'} past={pastOf(place, names[0], names[1])} />;
  for (const page of PAGES) {
    const wanted = page.split('/').slice(1);
    const isName = (at: number) => wanted[at]?.startsWith(':') === true && parts[at] !== '';
    if (wanted.length === parts.length && parts.every((part, at) => part === wanted[at] || isName(at)))
      return (
        <>
          {SHOWN[page](
            parts.filter((_, at) => isName(at)),
            session,
          )}
        </>
      );
  }
  return (
    <>
      <Heading title="Not found">There is no such page</Heading>
      <p>
        <a href="/">Now</a> says what is going on.
      </p>
    </>
  );
}

function decoded(part: string): string {
  try {
    return fromSegment(decodeURIComponent(part));
  } catch {
    return part;
  }
}
