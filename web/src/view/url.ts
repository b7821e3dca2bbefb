// The part of the view that a link carries, in the URL's fragment: it works for file:// too.

export interface Place {
  trajectory: number;
  step: number;
  layer: string;
  score: string;
}

/** "#trajectory=2&step=37&layer=2b&score=value"; trajectory and step count from 1, as on the page. */
export function toFragment(place: Place): string {
  const fields = new URLSearchParams({
    trajectory: String(place.trajectory + 1),
    step: String(place.step + 1),
    layer: place.layer,
    score: place.score,
  });
  return `#${fields}`;
}

/** What a fragment says; fields that are absent or no positive integers are left out. */
export function fromFragment(fragment: string): Partial<Place> {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const place: Partial<Place> = {};
  for (const name of ["trajectory", "step"] as const) {
    const value = fields.get(name);
    if (value !== null && /^[1-9]\d{0,8}$/.test(value)) place[name] = Number(value) - 1;
  }
  for (const name of ["layer", "score"] as const) {
    const value = fields.get(name);
    if (value !== null) place[name] = value;
  }
  return place;
}
