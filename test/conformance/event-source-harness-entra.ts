import { parseTenant } from '../../src/identity/entra/tenant.js';
import { createEntraSource } from '../../src/identity/entra/webhook.js';
import { Secret } from '../../src/model/secret.js';
import { TENANT_ID } from '../support/entra/entra.js';
import { notification, requestOf } from '../support/entra/notifications.js';
import type { EventSourceHarness } from './event-source.js';

const STATE = { current: 'one secret', previous: 'an older one', unknown: 'a stranger' };

export const ENTRA_EVENTS: EventSourceHarness = {
  create: () =>
    createEntraSource({
      provider: 'main',
      tenant: parseTenant(
        `https://login.microsoftonline.com/${TENANT_ID}/v2.0`,
        'https://graph.microsoft.com',
      ),
      secrets: [new Secret(STATE.current), new Secret(STATE.previous)],
      requestedRenewals: new Set(),
    }),
  request: ({ id, secret }) => {
    const value = [notification({ id, changeType: 'deleted', clientState: STATE[secret] })];
    return requestOf({ value }, {}, Date.parse('2026-03-01T12:00:00.000Z'));
  },
  signed: (body, atMs) => requestOf(body, {}, atMs),
  signatureHeader: {
    read: (body) => notificationsIn(body)[0]?.clientState ?? '',
    write: (body, clientState) =>
      new TextEncoder().encode(JSON.stringify({ value: [{ ...notificationsIn(body)[0], clientState }] })),
  },
  isSameSignature: (text, signature) => text === signature,
  coversBody: false,
  toleranceMs: undefined,
};

function notificationsIn(body: Uint8Array) {
  return JSON.parse(new TextDecoder().decode(body)).value ?? [];
}
