import { startOktaProviderWorld } from '../support/okta/world.js';
import { describeProviderFlow } from './provider-flow.js';

describeProviderFlow('okta', startOktaProviderWorld, { tellsOfClients: true });
