#include "model/format/gguf_quantise.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace sdft {
namespace {

// IEEE 754's binary16, to the nearest, ties to even.
uint16_t half_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
  if (size >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);
  if (size < 0x38800000) {  // below 2^-14: a half's last place is where it is beside a half
    const float moved = std::abs(value) + 0.5f;
    std::memcpy(&bits, &moved, sizeof bits);
    return static_cast<uint16_t>(sign | (bits - 0x3f000000));
  }
  return static_cast<uint16_t>(sign | (((size + 0xfff + (size >> 13 & 1)) >> 13) - (112 << 10)));
}

float value_of(uint16_t half) {
  const int exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
  const float size = exponent ? std::ldexp(static_cast<float>(fraction + 1024), exponent - 25)
                              : std::ldexp(static_cast<float>(fraction), -24);
  return half & 0x8000 ? -size : size;
}

// Writes the scale and gives what a reader will take it for.
float put_half(float value, unsigned char* to) {
  const uint16_t half = half_of(value);
  std::memcpy(to, &half, sizeof half);
  return value_of(half);
}

float inverse(float x) { return x == 0 || !std::isfinite(1 / x) ? 0 : 1 / x; }

int rounded(float x, int low, int high) {
  const auto least = static_cast<float>(low);
  return low + static_cast<int>(std::floor(std::clamp(x, least, static_cast<float>(high)) - least + 0.5f));
}

// The number that is farthest from zero, the first of several.
float farthest(const float* x, int count) {
  return *std::max_element(x, x + count, [](float a, float b) { return std::abs(a) < std::abs(b); });
}

// The farthest number becomes the lowest code: -middle.
void centred_codes(const float* x, int middle, unsigned char* scale, uint8_t* codes) {
  const float d = farthest(x, 32) / static_cast<float>(-middle), id = inverse(d);
  put_half(d, scale);
  for (int i = 0; i < 32; ++i)
    codes[i] = static_cast<uint8_t>(
        std::clamp(static_cast<int>(x[i] * id + (static_cast<float>(middle) + 0.5f)), 0, 2 * middle - 1));
}

void put_halves(const uint8_t* codes, unsigned char* q) {
  for (int i = 0; i < 16; ++i) q[i] = static_cast<unsigned char>((codes[i] & 15) | codes[i + 16] << 4);
}

// What a group of a K block is rounded with: scale * code - minimum.
struct Fit {
  float scale = 0, minimum = 0;
};

// The scale and minimum (not below 0) whose squared errors are the fewest for these codes; false: there are
// none.
bool least_squares(const float* x, const int* codes, int count, Fit* fit) {
  double sx = 0, sq = 0, sqq = 0, sxq = 0;
  for (int i = 0; i < count; ++i) {
    const double q = codes[i];
    sx += x[i], sq += q, sqq += q * q, sxq += q * x[i];
  }
  const double n = count, determinant = n * sqq - sq * sq;
  if (determinant <= 0) return false;
  const double minimum = (sq * sxq - sqq * sx) / determinant;
  fit->minimum = static_cast<float>(std::max(minimum, 0.0));
  fit->scale = static_cast<float>(minimum > 0 ? (n * sxq - sq * sx) / determinant : sxq / sqq);
  return fit->scale > 0;
}

double error_of(const float* x, int count, int most, const Fit& fit) {
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    const int q = rounded((x[i] + fit.minimum) * inverse(fit.scale), 0, most);
    const double off = fit.scale * static_cast<float>(q) - fit.minimum - x[i];
    sum += off * off;
  }
  return sum;
}

Fit best_fit(const float* x, int count, int most) {
  const auto [least, largest] = std::minmax_element(x, x + count);
  const float low = std::min(*least, 0.0f), width = *largest - low;
  if (width <= 0) return {0, -low};
  Fit best{width / static_cast<float>(most), -low};
  double error = error_of(x, count, most, best);
  for (int step = -12; step <= 6; ++step) {  // wider and narrower steps than min and max ask for
    const float inverse_step = (static_cast<float>(most) + 0.15f * static_cast<float>(step)) / width;
    int codes[32];
    for (int i = 0; i < count; ++i) codes[i] = rounded((x[i] - low) * inverse_step, 0, most);
    Fit fit;
    if (!least_squares(x, codes, count, &fit)) continue;
    const double now = error_of(x, count, most, fit);
    if (now < error) error = now, best = fit;
  }
  return best;
}

// Group j's scale and minimum of 6 bits in twelve bytes.
void put_group_scale(unsigned char* s, int j, int scale, int minimum) {
  if (j < 4) {
    s[j] = static_cast<unsigned char>(s[j] | scale);
    s[j + 4] = static_cast<unsigned char>(s[j + 4] | minimum);
  } else {
    s[j + 4] = static_cast<unsigned char>((scale & 15) | (minimum & 15) << 4);
    s[j - 4] = static_cast<unsigned char>(s[j - 4] | (scale >> 4) << 6);
    s[j] = static_cast<unsigned char>(s[j] | (minimum >> 4) << 6);
  }
}

// The scales of Q4_K and Q5_K into the block's first 16 bytes, and the codes that fit them.
void fitted_codes(const float* x, int most, unsigned char* block, uint8_t* codes) {
  Fit fits[8];
  float largest_scale = 0, largest_minimum = 0;
  for (int g = 0; g < 8; ++g) {
    fits[g] = best_fit(x + 32 * g, 32, most);
    largest_scale = std::max(largest_scale, fits[g].scale);
    largest_minimum = std::max(largest_minimum, fits[g].minimum);
  }
  const float d = put_half(largest_scale / 63, block), m = put_half(largest_minimum / 63, block + 2);
  std::memset(block + 4, 0, 12);
  for (int g = 0; g < 8; ++g) {
    const int scale = rounded(fits[g].scale * inverse(d), 0, 63),
              minimum = rounded(fits[g].minimum * inverse(m), 0, 63);
    put_group_scale(block + 4, g, scale, minimum);
    const float step = inverse(d * static_cast<float>(scale)), offset = m * static_cast<float>(minimum);
    for (int i = 32 * g; i < 32 * (g + 1); ++i)
      codes[i] = static_cast<uint8_t>(rounded((x[i] + offset) * step, 0, most));
  }
}

// Two groups of 32 share 32 bytes, the first in the lower halves.
void put_pairs(const uint8_t* codes, unsigned char* q) {
  for (int i = 0; i < 128; ++i) {
    const uint8_t* from = codes + i / 32 * 64 + i % 32;
    q[i] = static_cast<unsigned char>((from[0] & 15) | from[32] << 4);
  }
}

// The scale of codes from -32 to 31 for 16 numbers.
float best_scale(const float* x) {
  const float far = farthest(x, 16);
  if (far == 0) return 0;
  float best = 0;
  double most_explained = 0;  // (sum x q)^2 / sum q^2: what the codes take away of the squares' sum
  for (int step = -9; step <= 9; ++step) {
    const float id = -(32 + 0.1f * static_cast<float>(step)) / far;
    double sxq = 0, sqq = 0;
    for (int i = 0; i < 16; ++i) {
      const double q = rounded(x[i] * id, -32, 31);
      sxq += q * x[i], sqq += q * q;
    }
    if (sqq > 0 && sxq * sxq > most_explained * sqq) {
      most_explained = sxq * sxq / sqq;
      best = static_cast<float>(sxq / sqq);
    }
  }
  return best;
}

}  // namespace

void encode_q4_0(const float* x, unsigned char* block) {
  uint8_t codes[32];
  centred_codes(x, 8, block, codes);
  put_halves(codes, block + 2);
}

void encode_q5_0(const float* x, unsigned char* block) {
  uint8_t codes[32];
  centred_codes(x, 16, block, codes);
  uint32_t fifth = 0;
  for (int i = 0; i < 32; ++i) fifth |= static_cast<uint32_t>(codes[i] >> 4) << i;
  std::memcpy(block + 2, &fifth, sizeof fifth);
  put_halves(codes, block + 6);
}

void encode_q8_0(const float* x, unsigned char* block) {
  const float d = std::abs(farthest(x, 32)) / 127, id = inverse(d);
  put_half(d, block);
  for (int i = 0; i < 32; ++i) block[2 + i] = static_cast<unsigned char>(std::lround(x[i] * id));
}

void encode_q4_k(const float* x, unsigned char* block) {
  uint8_t codes[256];
  fitted_codes(x, 15, block, codes);
  put_pairs(codes, block + 16);
}

void encode_q5_k(const float* x, unsigned char* block) {
  uint8_t codes[256];
  fitted_codes(x, 31, block, codes);
  std::memset(block + 16, 0, 32);
  for (int i = 0; i < 256; ++i)
    block[16 + i % 32] = static_cast<unsigned char>(block[16 + i % 32] | (codes[i] >> 4) << i / 32);
  put_pairs(codes, block + 48);
}

void encode_q6_k(const float* x, unsigned char* block) {
  float scales[16];
  for (int g = 0; g < 16; ++g) scales[g] = best_scale(x + 16 * g);
  const float d = put_half(farthest(scales, 16) / -128, block + 208);
  std::memset(block, 0, 192);
  for (int i = 0; i < 256; ++i) {
    const int group = i / 16, scale = rounded(scales[group] * inverse(d), -128, 127);
    block[192 + group] = static_cast<unsigned char>(scale);
    const int code = 32 + rounded(x[i] * inverse(d * static_cast<float>(scale)), -32, 31);
    const int part = i / 32, at = i % 32;  // as split_q6_k reads them
    unsigned char &four = block[part / 4 * 64 + part % 2 * 32 + at], &two = block[128 + part / 4 * 32 + at];
    four = static_cast<unsigned char>(four | (code & 15) << (part % 4 < 2 ? 0 : 4));
    two = static_cast<unsigned char>(two | (code >> 4) << part % 4 * 2);
  }
}

}  // namespace sdft
