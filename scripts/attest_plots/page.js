// SPDX-License-Identifier: Apache-2.0
// Filters and sorts the table. Words in the address after # filter, too: report.html#onednn+causal.
"use strict";
const table = document.getElementById("results");
const body = table.tBodies[0];
const words = document.getElementById("words");
const count = document.getElementById("count");
const rows = Array.from(body.rows);
let texts; // of the rows, read when first something is looked for: thousands of rows open faster

function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length) texts ??= rows.map((row) => row.textContent.toLowerCase());
  let shown = 0;
  rows.forEach((row, index) => {
    row.hidden = !wanted.every((word) => texts[index].includes(word));
    shown += row.hidden ? 0 : 1;
  });
  count.textContent = `${shown} of ${rows.length} rows`;
}

function keyOf(row, column) {
  const cell = row.cells[column];
  if (!cell.classList.contains("number")) return cell.textContent;
  return "v" in cell.dataset ? Number(cell.dataset.v) : NaN;
}

// Missing numbers stay at the end in both directions.
function compare(a, b, sign) {
  if (typeof a === "string") return sign * a.localeCompare(b, "en", { numeric: true });
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
  return sign * (a - b);
}

function sortBy(header) {
  const column = header.cellIndex;
  const upwards = header.getAttribute("aria-sort") !== "ascending";
  for (const other of header.parentNode.cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", upwards ? "ascending" : "descending");
  const keyed = rows.map((row) => ({ row, key: keyOf(row, column) }));
  keyed.sort((a, b) => compare(a.key, b.key, upwards ? 1 : -1));
  body.append(...keyed.map(({ row }) => row));
}

document.getElementById("filter").hidden = false;
document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
words.addEventListener("input", filter);
for (const header of table.tHead.rows[0].cells)
  header.querySelector("button").addEventListener("click", () => sortBy(header));

function fromAddress() {
  const hash = decodeURIComponent(location.hash.slice(1));
  if (hash && !document.getElementById(hash)) words.value = hash.replaceAll("+", " ");
  filter();
}
addEventListener("hashchange", fromAddress);
fromAddress();
