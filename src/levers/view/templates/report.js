"use strict";
(function () {
  var box = document.getElementById("filter");
  var cases = Array.prototype.slice.call(document.querySelectorAll("details.case"));
  function show(need) {
    var left = 0;
    cases.forEach(function (each) {
      var fits = !need || each.dataset.needs.split(" ").indexOf(need) >= 0;
      each.hidden = !fits;
      left += fits ? 1 : 0;
    });
    document.getElementById("shown").textContent = left + " cases shown";
  }
  if (box) {
    box.hidden = false;
    box.addEventListener("click", function (event) {
      var pressed = event.target.closest("button");
      if (!pressed) return;
      box.querySelectorAll("button").forEach(function (each) {
        each.setAttribute("aria-pressed", String(each === pressed));
      });
      show(pressed.dataset.need);
    });
  }
  var shut = [];
  window.addEventListener("beforeprint", function () {
    shut = Array.prototype.slice.call(document.querySelectorAll("details:not([open])"));
    shut.forEach(function (each) { each.open = true; });
  });
  window.addEventListener("afterprint", function () {
    shut.forEach(function (each) { each.open = false; });
  });
})();
