// The tokens of a text as chips in a list.

import { chip, putChips } from "./chips.js";
import { KIT } from "../theme.js";

/** Put a text's tokens into a list: the function that is returned takes pieces and ids (null: none), and gives chips. */
export function tokenChips(list) {
  let [chips, drawn] = [[], []];
  return (pieces, ids) => {
    const now = pieces.slice(0, KIT.maxTokens).map((piece, i) => `${piece} ${ids?.[i]}`);
    // Most keys change the end of a text: the chips before it stay.
    const made = now.map((token, i) => (token === drawn[i] ? chips[i] : chip(pieces[i], ids?.[i], i)));
    chips = putChips(list, chips, made);
    drawn = now;
    return chips;
  };
}
