/** Config entries of an API gateway `edge`, as Consul 1.15 and newer have them. */
export const API_GATEWAY = [
  {
    Kind: 'api-gateway',
    Name: 'edge',
    Listeners: [
      { Name: 'web', Port: 8443, Protocol: 'http', Hostname: 'shop.example.com' },
      { Name: 'raw', Port: 9000, Protocol: 'tcp' },
    ],
  },
  {
    Kind: 'http-route',
    Name: 'shop',
    Hostnames: ['shop.example.com'],
    Parents: [{ Kind: 'api-gateway', Name: 'edge', SectionName: 'web' }],
    Rules: [
      {
        Matches: [{ Path: { Match: 'prefix', Value: '/v1/orders' } }],
        Services: [{ Name: 'orders', Weight: 1 }],
      },
      { Services: [{ Name: 'billing' }] },
    ],
  },
  {
    Kind: 'http-route',
    Name: 'lost',
    Parents: [{ Kind: 'api-gateway', Name: 'edge', SectionName: 'no-such-listener' }],
    Rules: [{ Services: [{ Name: 'admin' }] }],
  },
  {
    Kind: 'tcp-route',
    Name: 'mail',
    Parents: [{ Kind: 'api-gateway', Name: 'edge', SectionName: 'raw' }],
    Services: [{ Name: 'mail' }],
  },
];
