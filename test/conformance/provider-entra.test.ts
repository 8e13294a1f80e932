import { startEntraWorld } from '../support/entra/world.js';
import { describeProviderFlow } from './provider-flow.js';

describeProviderFlow('entra', startEntraWorld, { tellsOfClients: false });
