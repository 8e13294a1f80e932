/** An address of each page, on the demo. */
export const PAGES: Readonly<Record<string, string>> = {
  now: '/',
  'why, without a question': '/why',
  'why a call is refused': '/why?from=web&to=orders&method=POST&path=/v1/orders',
  services: '/services',
  'a service': '/services/orders',
  clients: '/clients',
  'a client': '/clients/main/web-app',
  'a map': '/map?focus=service:orders',
  'the whole map': '/map',
  'a group of the map, and why an arrow is there':
    '/map?lens=groups&open=web&from=service:web&to=service:orders',
  'the scopes of the map': '/map?lens=scopes',
  'the matrix of the map': '/map?lens=matrix',
  'the list of the map': '/map?lens=list&focus=service:orders',
  changes: '/changes',
  'access now, by the log': '/audit?name=orders',
  'a service in the past': '/services/orders?at=2026-01-31T12:00:00.000Z',
  'a difference': '/audit/diff?from=2026-01-31T12:00:00.000Z',
  'the proof of a decision': '/audit/proof',
  me: '/me',
};
