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
  'the start of the map': '/map',
  changes: '/changes',
  me: '/me',
};
