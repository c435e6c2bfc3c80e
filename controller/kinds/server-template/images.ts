/** Looks up machine images, seldom: what was found for a template is kept for some minutes. */
import type { ServerTemplate } from '../../api/server-template.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { Image, Machines } from '../../cloud/port.ts';

export type ImageLookup =
  | { readonly image: Image }
  | { readonly reason: 'ImageNotFound' | 'ImageUnavailable'; readonly message: string };

interface Kept {
  readonly generation: number;
  readonly at: Instant;
  readonly lookup: ImageLookup;
}

const keptWhenFound: Millis = 600_000;
const keptWhenMissing: Millis = 30_000;

/** An image that was found is kept for 10 minutes, a failure for 30 s. */
export class Images {
  readonly #kept = new Map<string, Kept>();

  /**
   * The image of this generation of the template. A name is resolved once: as long as the spec stays, the image that
   * was found first stays too, and is only checked to be there. Fails as Machines does.
   */
  async of(template: ServerTemplate, machines: Machines, now: Instant): Promise<ImageLookup> {
    const { uid, generation = 0 } = template.metadata;
    const kept = this.#kept.get(uid);
    if (kept !== undefined && kept.generation === generation && now - kept.at < lifeOf(kept.lookup)) {
      return kept.lookup;
    }
    const lookup = await lookUp(template, machines);
    this.#kept.set(uid, { generation, at: now, lookup });
    return lookup;
  }

  forget(uid: string): void {
    this.#kept.delete(uid);
  }
}

async function lookUp(template: ServerTemplate, machines: Machines): Promise<ImageLookup> {
  const { id, name, owner } = template.spec.image;
  const { status, metadata } = template;
  const settled = status?.observedGeneration === metadata.generation ? status?.imageID : undefined;
  const wanted = id ?? settled;
  const image =
    wanted === undefined ? await machines.newestImage(name ?? '', owner) : await machines.image(wanted);
  const words = wanted ?? `'${name ?? ''}' of owner ${owner}`;
  if (image === undefined) {
    const message = `There is no image ${words} in this region, or this account may not use it.`;
    return { reason: 'ImageNotFound', message };
  }
  return image.available
    ? { image }
    : { reason: 'ImageUnavailable', message: `The image ${image.id} exists but is not available yet.` };
}

function lifeOf(lookup: ImageLookup): Millis {
  return 'image' in lookup ? keptWhenFound : keptWhenMissing;
}
