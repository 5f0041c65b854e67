// Finds the pages that have all the words of the box; the list of pages is fetched when the box is first used.
const box = document.querySelector('.search input'), list = document.querySelector('.search ol')
const root = document.documentElement.dataset.root
let pages = null

function score(page, words) {
  const title = page.title.toLowerCase(), text = page.text.toLowerCase()
  let sum = title === words.join(' ') ? 50 : 0
  for (const word of words) {
    if (title.includes(word)) sum += title === word ? 30 : 10
    else if (text.includes(word)) sum += 1
    else return 0
  }
  return sum
}

function excerpt(page, word) {
  const at = Math.max(0, page.text.toLowerCase().indexOf(word) - 40)
  return (at ? '… ' : '') + page.text.slice(at, at + 130)
}

async function look() {
  pages ??= await (await fetch(root + 'search.json')).json()
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean)
  const found = words.length ? pages.map(page => [score(page, words), page]).filter(o => o[0]) : []
  found.sort((a, b) => b[0] - a[0])
  list.replaceChildren(...found.slice(0, 12).map(([, page]) => {
    const item = document.createElement('li'), link = document.createElement('a'), words_ = document.createElement('small')
    link.href = root + page.url
    link.textContent = page.title
    words_.textContent = excerpt(page, words[0])
    link.append(words_)
    item.append(link)
    return item
  }))
}

box.addEventListener('input', look)
box.addEventListener('keydown', event => {
  if (event.key === 'Escape') { box.value = ''; list.replaceChildren() }
  if (event.key === 'Enter') list.querySelector('a')?.click()
})

// on a narrow screen the list of neighbours is folded
if (matchMedia('(max-width: 56rem)').matches) document.querySelector('aside details')?.removeAttribute('open')
