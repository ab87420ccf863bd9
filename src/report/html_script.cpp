#include "report/html_script.h"

#include <openssl/evp.h>

#include <cstring>

namespace sdft::report {
namespace {

constexpr const char* kScript = R"js(
document.documentElement.className = 'js';
const said = document.getElementById('said');
const say = text => { said.textContent = ''; setTimeout(() => said.textContent = text, 50); setTimeout(() => said.textContent = '', 4000); };
const copy = async (text, element) => {
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  } catch {
    element.closest('details')?.setAttribute('open', '');
    getSelection().selectAllChildren(element);
    say(document.execCommand('copy') ? 'Copied.' : 'Selected: the copy key takes it.');
  }
};
document.addEventListener('click', event => {
  const button = event.target.closest('button.copy');
  if (!button) return;
  const whole = button.dataset.of && document.getElementById(button.dataset.of), article = button.closest('article');
  if (whole) copy(whole.textContent, whole);
  else copy([...article.querySelectorAll('.text')].map(text => text.textContent).join('\n\n'), article);
});
const form = document.querySelector('form.filter');
if (form) {
  const articles = [...document.querySelectorAll('article[data-tags]')], texts = [];
  const number = n => n.toLocaleString('en');
  const apply = () => {
    const wanted = [...form.querySelectorAll('select')].map(list => list.value).filter(Boolean);
    const words = form.querySelector('input').value.trim().toLowerCase();
    let shown = 0;
    articles.forEach((article, i) => {
      const tags = article.dataset.tags.split(' ');
      article.hidden = !wanted.every(tag => tags.includes(tag)) ||
        (words && !(texts[i] ??= article.textContent.toLowerCase()).includes(words));
      shown += !article.hidden;
    });
    form.querySelector('output').value = `${number(shown)} of ${number(articles.length)} shown`;
  };
  let waiting;
  form.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  form.addEventListener('submit', event => event.preventDefault());
  apply();
}
)js";
}  // namespace

std::string page_script() {
  return "<p id=\"said\" class=\"said\" role=\"status\"></p>\n<script>" + std::string(kScript) +
         "</script>\n";
}
std::string page_script_policy() {
  unsigned char sum[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(kScript, std::strlen(kScript), sum, &size, EVP_sha256(), nullptr);
  EVP_EncodeBlock(text, sum, static_cast<int>(size));
  return "'sha256-" + std::string(reinterpret_cast<const char*>(text)) + "'";
}

}  // namespace sdft::report
