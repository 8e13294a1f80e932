import { startSsfWorld } from '../support/ssf/world.js';
import { describeProviderFlow } from './provider-flow.js';

describeProviderFlow('shared signals', startSsfWorld, { tellsOfClients: true });
