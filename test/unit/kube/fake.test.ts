/** The fake API server keeps the contract that the real client keeps. */

import { kubeContract } from '../../contract/kube/suite.ts';
import { FakeKube } from '../../fakes/kube.ts';

kubeContract('the fake', async () => {
  const kube = new FakeKube();
  return {
    kube,
    namespace: 'contract',
    edit: (resource, key, patch) => Promise.resolve(kube.edit(resource, key, patch)),
  };
});
