"use strict";
// Selecting rows works without this file. It adds a checkbox for the page, and says how many rows are selected.
{
    const form = document.getElementById("bulk");
    const rows = [...document.querySelectorAll('input[type="checkbox"][form="bulk"]')];
    const every = form.elements.namedItem("every");
    const page = document.querySelector("[data-select-page]");
    const count = form.querySelector(".bulk-count");

    const show = () => {
        const ticked = rows.filter((row) => row.checked).length;
        for (const row of rows) {
            row.disabled = every.checked;
        }
        page.checked = ticked === rows.length;
        page.indeterminate = ticked > 0 && ticked < rows.length;
        page.disabled = every.checked;
        count.textContent = every.checked ? "" : ticked ? `${ticked} selected` : "";
    };

    page.addEventListener("change", () => {
        for (const row of rows) {
            row.checked = page.checked;
        }
        show();
    });
    for (const box of [...rows, every]) {
        box.addEventListener("change", show);
    }
    // A browser restores the boxes when one comes back to the page.
    window.addEventListener("pageshow", show);
    show();
}
