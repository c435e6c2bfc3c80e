/** Where the API server is and who we are: a kubeconfig file, or the service account of the pod. */
import { KubeConfig } from '@kubernetes/client-node';

/** Reads the files anew at every call. Throws when they are missing or malformed. */
export function loadKubeConfig(file: string | undefined): KubeConfig {
  const loaded = new KubeConfig();
  if (file === undefined) loaded.loadFromCluster();
  else loaded.loadFromFile(file);
  return loaded;
}
