import type { Row } from '../support/row.js';
import { aclLogins } from './acl-logins.js';
import { burst } from './burst.js';
import { claimsFirst } from './claims-first.js';
import { webConsole } from './console.js';
import { eventsDuringSync } from './events-during-sync.js';
import { fanIn } from './fan-in.js';
import { firstSyncRows } from './first-sync.js';
import { idle } from './idle.js';
import { noOp } from './no-op.js';
import { oneEvent } from './one-event.js';
import { plan } from './plan.js';
import { replicas } from './replicas.js';
import { syncs } from './syncs.js';
import { trail } from './trail.js';

/** In the order of the table. */
export const ROWS: readonly Row[] = [
  ...firstSyncRows,
  fanIn,
  eventsDuringSync,
  oneEvent,
  syncs,
  plan,
  trail,
  noOp,
  aclLogins,
  claimsFirst,
  burst,
  replicas,
  idle,
  webConsole,
];
