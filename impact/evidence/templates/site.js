
(() => {
  const box = document.getElementById("zoek"), said = document.getElementById("gevonden");
  if (!box) return;
  const folded = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const bundles = [...document.querySelectorAll("article[data-find]")];
  const search = () => {
    const words = folded(box.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const one of bundles) {
      one.hidden = !words.every(word => one.dataset.find.includes(word));
      count += !one.hidden;
    }
    said.textContent = words.length ? said.dataset.some.replace("#", count) : said.dataset.all;
  };
  box.addEventListener("input", search);
  box.closest("[hidden]").hidden = false;
  search();
})();
