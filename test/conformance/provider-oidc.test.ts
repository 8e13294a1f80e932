import { startOidcWorld } from '../support/oidc-world.js';
import { describeProviderFlow } from './provider-flow.js';

describeProviderFlow('oidc', startOidcWorld, { tellsOfClients: true });
