import { startAuth0World } from '../support/auth0/world.js';
import { describeProviderFlow } from './provider-flow.js';

describeProviderFlow('auth0', startAuth0World, { tellsOfClients: true });
